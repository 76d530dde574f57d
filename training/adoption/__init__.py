"""`python -m training adopt`: put a trained model into models/ if it is no worse than the model
there.
"""
