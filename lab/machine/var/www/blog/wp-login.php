<?php
// Answers as WordPress does: the form again after a wrong password, a redirect after the right one.
if (($_POST['pwd'] ?? '') === 'correct horse') {
    header('Location: /wp-admin/', true, 302);
    exit;
}
echo "<form method=post><input name=log><input name=pwd type=password></form>\n";
