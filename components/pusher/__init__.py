"""TFX's Pusher, but versions appear only when complete and the cache key has the destination."""
