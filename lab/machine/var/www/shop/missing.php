<?php
function checkout(): void
{
    charge_card_of_a_plugin_that_was_removed(12);
}
checkout();
