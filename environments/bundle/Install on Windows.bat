@echo off
rem Installs Ustod from the stick that this file lies on. No network is used.
setlocal
chcp 65001 >nul
set PYTHONUTF8=1
set PYTHONDONTWRITEBYTECODE=1
where py >nul 2>nul
if not errorlevel 1 (
  py -3 "%~dp0install.py" %*
  goto end
)
where python >nul 2>nul
if not errorlevel 1 (
  python "%~dp0install.py" %*
  goto end
)
echo Python 3.11 is not installed on this computer. Install it, then start this again.
:end
pause
