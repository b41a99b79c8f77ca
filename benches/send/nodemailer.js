// PORT MESSAGES SESSIONS KEY: sends letter.html to so many readers and prints the messages a second.
const [port, messages, sessions, key] = process.argv.slice(2);
const fs = require('node:fs');
const html = fs.readFileSync('letter.html', 'utf8');
const text = html.replace(/<[^>]*>/g, '');
const transport = require('nodemailer').createTransport({
  host: '127.0.0.1', port: Number(port), secure: false, ignoreTLS: true,
  pool: true, maxConnections: Number(sessions), maxMessages: Infinity,
  dkim: { domainName: 'news.example', keySelector: 'bench', privateKey: fs.readFileSync(key, 'utf8') },
});
let next = 0;
async function worker() {
  while (next < Number(messages)) {
    const n = next++;
    await transport.sendMail({
      from: 'The Weekly <news@news.example>', to: `reader${n}@reader.example`, subject: 'The Weekly, number 42',
      html: html.replaceAll('NAME', `Reader ${n}`), text: text.replaceAll('NAME', `Reader ${n}`),
      list: { unsubscribe: { url: `https://news.example/unsubscribe/${n}` } },
    });
  }
}
(async () => {
  const start = process.hrtime.bigint();
  await Promise.all(Array.from({ length: 2 * Number(sessions) }, worker));
  console.log(Number(messages) / (Number(process.hrtime.bigint() - start) / 1e9));
  transport.close();
})();
