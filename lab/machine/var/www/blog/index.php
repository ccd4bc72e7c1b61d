<?php echo "<!doctype html><title>blog</title><p>page ", htmlspecialchars($_GET['p'] ?? 'home'), "</p>\n";
