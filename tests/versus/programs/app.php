<?php // What php-fpm runs.

function note($word)
{
    file_put_contents(__DIR__ . "/seen", $word . " " . getmypid() . "\n", FILE_APPEND);
}

function compute_for_ever()
{
    while (true) {
    }
}

switch ($_SERVER["PATH_INFO"]) {
    case "/sleep":
        note("sleep");
        usleep((int) (1e6 * (float) $_SERVER["QUERY_STRING"]));
        break;
    case "/hang":
        note("hang");
        compute_for_ever();
}
echo getenv("VERSION");
