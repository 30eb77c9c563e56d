//! The core: an API server in memory. Everything that happens to a stored object happens through here, synchronously.
