"""Pusher: TFX's, with versions that appear whole and a destination that the cache knows."""
