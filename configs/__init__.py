"""The shipped config files; installed as `dlcourse.configs`."""
