<?php
// Installs WordPress: an administrator, customers with passwords of their own, and posts.
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'blog.example.com';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
function wp_new_blog_notification($title, $url, $user, $password) {}
require '/usr/share/wordpress/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Blog', 'admin', 'admin@example.com', true, '', 'only the owner knows');
switch_theme('range');
update_option('permalink_structure', '/post/%postname%/');
for ($i = 0; $i < 40; $i++) {
    wp_create_user("customer$i", "password of $i", "customer$i@example.com");
}
for ($i = 0; $i < 120; $i++) {
    wp_insert_post(['post_title' => "Post $i", 'post_name' => "p$i", 'post_content' => str_repeat("word $i ", 200), 'post_status' => 'publish', 'post_author' => 1]);
}
flush_rewrite_rules(false);
echo "installed\n";
