"""The one-command network: a real chain, a coordinator and miners on this machine."""
