"""The controller: what should be there, read from where it is kept, and slices written until they say it.

It needs the extra ``epcore[cli]``, for YAML; the engine itself needs nothing.
"""
