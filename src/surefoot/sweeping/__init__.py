"""The sweep's loop: registered, explored, put to fresh seeds, told."""
