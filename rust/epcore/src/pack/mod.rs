//! What should be there and what is there -> ordered writes.
