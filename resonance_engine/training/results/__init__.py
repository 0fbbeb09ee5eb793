"""What a trained network is worth: embeddings, validation, judgement, pictures, a card."""
