"""How well a model does on cases that it was not trained on."""
