# Fetches new mail with net/pop as a small script would; how it is told what to do stands in script.py.
require "net/pop"

memory, out = ENV.values_at("POP3_MEMORY", "POP3_OUT")
known = File.exist?(memory) ? File.readlines(memory, chomp: true) : []
pop = Net::POP3.new(ENV["POP3_HOST"], ENV["POP3_PORT"].to_i)
pop.enable_ssl(OpenSSL::SSL::VERIFY_PEER, ENV["POP3_CA"]) if ENV["POP3_TLS"] == "implicit"
begin
  pop.start(ENV["POP3_USER"], ENV["POP3_PASSWORD"])
rescue Net::POPAuthenticationError => e
  warn "login refused: #{e.message}"
  exit 77
end
uidls = pop.mails.map(&:unique_id)
pop.mails.zip(uidls).each do |mail, uidl|
  next if known.include?(uidl)
  File.binwrite(format("%s/%06d", out, mail.number), mail.pop)
  mail.delete unless ENV["POP3_KEEP"] == "1"
end
pop.finish
File.write(memory, uidls.join("\n"))
