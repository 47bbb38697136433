// The tile "Course" in JupyterLab's launcher. This file is what a build would make, and is written by hand: JupyterLab
// asks it for the module ./extension, and hands it the modules that all extensions share.
(() => {
  let shared;

  async function load(name) {
    const versions = Object.values(shared[name]);
    return (await versions[versions.length - 1].get())();
  }

  async function extension() {
    const [{ ILauncher }, { ICommandPalette, MainAreaWidget, IFrame }, { PageConfig, URLExt }, { LabIcon }] =
      await Promise.all(
        ['@jupyterlab/launcher', '@jupyterlab/apputils', '@jupyterlab/coreutils', '@jupyterlab/ui-components'].map(load)
      );
    const command = 'ustod:course';
    const names = { ru: 'Курс', tg: 'Курс', en: 'Course' };
    const icon = new LabIcon({
      name: 'ustod:course',
      svgstr:
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16"><path class="jp-icon3" fill="#616161" d="M12 4 1 9l11 5 9-4.1V16h2V9zM5 13.2V17c0 1.7 3.1 3 7 3s7-1.3 7-3v-3.8l-7 3.2z"/></svg>'
    });

    function activate(app, launcher, palette) {
      // Tajik is a language of ours, and not one of JupyterLab's.
      const language = PageConfig.getOption('ustodLanguage');
      let widget = null;

      function open() {
        if (widget === null || widget.isDisposed) {
          // The page holds no script; it is our own, so that it may open notebooks here.
          const content = new IFrame({ sandbox: ['allow-same-origin', 'allow-forms', 'allow-popups', 'allow-downloads', 'allow-top-navigation-by-user-activation'] });
          content.url = URLExt.join(PageConfig.getBaseUrl(), 'ustod/course');
          content.title.label = names[language] ?? names.en;
          content.title.icon = icon;
          widget = new MainAreaWidget({ content });
          widget.id = 'ustod-course';
          widget.title.label = content.title.label;
          widget.title.icon = icon;
          widget.title.closable = true;
          const frame = content.node.querySelector('iframe');
          frame.title = content.title.label;
          frame.addEventListener('load', () => follow(frame));
        }
        if (!widget.isAttached) {
          app.shell.add(widget, 'main');
        }
        app.shell.activateById(widget.id);
      }

      // A notebook opens in a tab beside the page, not in its place.
      function follow(frame) {
        frame.contentDocument?.addEventListener('click', event => {
          const link = event.target.closest?.('a[data-path]');
          if (link) {
            event.preventDefault();
            void app.commands.execute('docmanager:open', { path: link.dataset.path });
          }
        });
      }

      app.commands.addCommand(command, {
        label: names[language] ?? names.en,
        caption: 'Ustod',
        icon,
        execute: open
      });
      launcher?.add({ command, category: 'Other', rank: 0 });
      palette?.addItem({ command, category: 'Ustod' });
    }

    return {
      __esModule: true,
      default: {
        id: '@ustod/course:launcher',
        description: 'The Course page in the launcher.',
        autoStart: true,
        optional: [ILauncher, ICommandPalette],
        activate
      }
    };
  }

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB['@ustod/course'] = {
    init: scope => {
      shared = scope;
    },
    get: async () => {
      const module = await extension();
      return () => module;
    }
  };
})();
