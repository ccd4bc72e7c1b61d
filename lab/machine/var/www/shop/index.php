<?php echo "<!doctype html><title>shop</title><p>page ", htmlspecialchars($_GET['p'] ?? 'home'), "</p>\n";
