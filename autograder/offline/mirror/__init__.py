"""A campus hub for models and data sets that the ordinary Hugging Face clients use through HF_ENDPOINT."""
