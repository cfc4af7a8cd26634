"""A page to animate, edit and look at results on this machine, made with gradio (extra `[studio]`)."""
