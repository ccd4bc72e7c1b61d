<?php
// The least that a theme needs: the posts of the page, with links to each.
?><!doctype html><title><?php bloginfo('name'); ?></title>
<link rel="stylesheet" href="<?php echo get_stylesheet_uri(); ?>">
<?php while (have_posts()) { the_post(); ?>
<h1><a href="<?php the_permalink(); ?>"><?php the_title(); ?></a></h1><?php the_content(); ?>
<?php }
