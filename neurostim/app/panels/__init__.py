"""The window's panels, one file each: a panel draws one view and tells of what a person does."""
