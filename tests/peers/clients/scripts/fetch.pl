# Fetches new mail with Net::POP3 as a small script would; how it is told what to do stands in script.py.
use strict;
use warnings;
use Net::POP3;

my ($memory, $out) = @ENV{qw(POP3_MEMORY POP3_OUT)};
my %tls = (SSL_ca_file => $ENV{POP3_CA}, SSL_verifycn_name => $ENV{POP3_HOST});
my $pop = Net::POP3->new(
    $ENV{POP3_HOST}, Port => $ENV{POP3_PORT}, Timeout => 60,
    $ENV{POP3_TLS} eq 'implicit' ? (SSL => 1, %tls) : (),
) or die "no connection: $@\n";
if ($ENV{POP3_TLS} eq 'stls') {
    $pop->starttls(%tls) or die 'no STLS: ' . $pop->message;
}
my $count = $ENV{POP3_AUTH} eq 'plain'
    ? $pop->auth($ENV{POP3_USER}, $ENV{POP3_PASSWORD})
    : $pop->login($ENV{POP3_USER}, $ENV{POP3_PASSWORD});
if (!defined $count || !$count) {
    print STDERR 'login refused: ', $pop->message;
    exit 77;
}

my %known;
if (open my $file, '<', $memory) {
    chomp(my @lines = <$file>);
    @known{@lines} = ();
}
my $uidls = $pop->uidl or die 'UIDL: ' . $pop->message;
for my $number (sort { $a <=> $b } keys %$uidls) {
    next if exists $known{$uidls->{$number}};
    my $lines = $pop->get($number) or die "RETR $number: " . $pop->message;
    open my $file, '>:raw', sprintf('%s/%06d', $out, $number) or die "$out: $!";
    print {$file} @$lines;
    close $file or die "$out: $!";
    if (!$ENV{POP3_KEEP}) {
        $pop->delete($number) or die "DELE $number: " . $pop->message;
    }
}
$pop->quit or die 'QUIT: ' . $pop->message;
open my $file, '>', $memory or die "$memory: $!";
print {$file} map { "$_\n" } values %$uidls;
close $file or die "$memory: $!";
