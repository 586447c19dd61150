"""Is it fit to be released? Not a test: it builds what would be published, and asks a package registry for the libraries."""
