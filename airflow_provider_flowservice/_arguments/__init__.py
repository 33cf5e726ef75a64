"""The arguments that users set: what each may be, and when it is checked."""
