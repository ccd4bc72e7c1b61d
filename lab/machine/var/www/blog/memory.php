<?php
// A fatal error that nothing can catch: more memory than memory_limit allows.
echo strlen(str_repeat('x', 64 << 20));
