<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:/run/mysqld/mysqld.sock');
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
define('WP_HOME', 'http://club.example.org');
define('WP_SITEURL', 'http://club.example.org');
define('WP_DEFAULT_THEME', 'range');
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
// A deploy that went wrong: while this file is there, every page is an error.
if (file_exists('/tmp/broken-deploy')) {
    throw new RuntimeException('class Checkout was renamed');
}
