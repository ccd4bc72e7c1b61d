<?php
// Says that it has come this far, then waits until the test opens the gate.
file_put_contents('/tmp/waiting', $_SERVER['HTTP_HOST'] . "\n", FILE_APPEND);
$gate = fopen('/tmp/gate', 'r');
flock($gate, LOCK_SH);
echo "open\n";
