// Judges signatures with mailauth. Arguments: a JSON file of DNS records by name, then messages.
const fs = require('fs');
const { dkimVerify } = require('mailauth/lib/dkim/verify');

const [records, ...paths] = process.argv.slice(2);
const dns = JSON.parse(fs.readFileSync(records, 'utf8'));

async function resolver(name, type) {
    if (type === 'TXT' && dns[name]) {
        return [[dns[name]]];
    }
    throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
}

(async () => {
    for (const path of paths) {
        const { results } = await dkimVerify(fs.readFileSync(path), { resolver });
        const signatures = results.map(result => ({
            algorithm: result.algo,
            result: result.status.result,
            aligned: Boolean(result.status.aligned),
        }));
        console.log(JSON.stringify({ file: path, signatures }));
    }
})();
