# Listens on a Unix socket as some uid and answers pam_stint in its own language, or not:
#   perl impostor.pl PATH UID allow|garbage|dribble|silent|close
# Each connection is one more byte in PATH.seen.
use strict;
use warnings;
use Socket;

my ($path, $uid, $mode) = @ARGV;
$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';
unlink $path;
socket(my $listener, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
bind($listener, pack_sockaddr_un($path)) or die "bind: $!";
chmod 0666, $path;
open(my $seen, '>>', "$path.seen") or die "$path.seen: $!";
# Whose socket it is, is whoever calls listen.
if ($uid) { $( = $uid; $) = "$uid $uid"; $< = $uid; $> = $uid; }
listen($listener, 100) or die "listen: $!";

# The answer of org.stint.Stint1.Check, (verdict, lines, offers): ("allow", [], []).
my $greeting = 'OK ' . '0' x 32 . "\r\n";
my $body = pack('V', 5) . "allow\0\0\0" . pack('V', 0) . pack('V', 0) . "\0" x 4;
my $fields = pack('C C a C V', 5, 1, 'u', 0, 1) . pack('C C a C C a9 C', 8, 1, 'g', 0, 9, 'sasa(sbb)', 0);
my $answer = pack('a C C C V V V', 'l', 2, 0, 1, length $body, 1, length $fields) . $fields;
$answer .= "\0" x (-length($answer) % 8) . $body;

while (accept(my $peer, $listener)) {
    syswrite $seen, '.';
    next if fork;
    sysread $peer, my $question, 65536;
    if ($mode eq 'allow') { syswrite $peer, $greeting . $answer; }
    if ($mode eq 'garbage') { syswrite $peer, "HTTP/1.0 200 OK\r\n\r\nallow\r\n" x 100; }
    if ($mode eq 'dribble') {
        for my $byte (split //, $greeting . $answer) { syswrite $peer, $byte or last; select undef, undef, undef, 0.5; }
    }
    sleep 120 if $mode ne 'close';
    exit;
}
