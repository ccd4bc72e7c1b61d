<?php
// An exception that nobody catches, two calls deep, so that the trace has lines.
class Cart
{
    public function total(string $currency): int
    {
        return $this->rate($currency) * 2;
    }

    private function rate(string $currency): int
    {
        throw new RuntimeException("no rate for $currency");
    }
}
