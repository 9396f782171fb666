<?php
// What a framework makes of a request: it writes down all that it gets.
if ($_SERVER['REQUEST_URI'] === '/accel') {
    header('X-Accel-Redirect: /.sidecar/status');
}
if ($_SERVER['REQUEST_URI'] === '/stream') {
    header('Content-Type: text/html');
    ob_end_clean(); // PHP's own buffer
    foreach (['first', 'second'] as $piece) {
        echo $piece, str_repeat(' ', 1100);
        flush();
        sleep(1);
    }
    exit;
}
header('Content-Type: application/json');
if (isset($_GET['status'])) {
    http_response_code((int) $_GET['status']);
}
if (isset($_GET['header'])) {
    header('X-Long: ' . str_repeat('a', (int) $_GET['header']));
}
echo json_encode(['server' => $_SERVER, 'proxy' => getenv('HTTP_PROXY'), 'body' => strlen(file_get_contents('php://input'))], JSON_UNESCAPED_SLASHES);
