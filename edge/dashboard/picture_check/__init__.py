"""The picture check of the Check page: classifies uploaded pictures in a separate process."""
