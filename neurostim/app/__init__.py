"""The desktop app: views and a session that know no screen, and a window that draws them."""
