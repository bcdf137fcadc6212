/* What the echo's two ends agree on. */
#define ECHO_SOCKET "/run/stint-bench/echo.sock"
/* About as many bytes as the question of stint's module has. */
enum { ECHO_BYTES = 256 };
