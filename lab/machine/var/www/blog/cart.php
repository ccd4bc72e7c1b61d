<?php
require __DIR__ . '/wp-content/plugins/cart/cart.php';
(new Cart)->total('EUR');
