// Lets Go take functions without a body, which go:linkname finds elsewhere.
