<?php
// Answers as WordPress does: 405 to whoever does not POST, and 200 with a fault inside to a wrong password.
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    http_response_code(405);
    header('Allow: POST');
    exit("XML-RPC server accepts POST requests only.");
}
header('Content-Type: text/xml; charset=UTF-8');
echo "<?xml version=\"1.0\"?><methodResponse><fault><value><int>403</int></value></fault></methodResponse>\n";
