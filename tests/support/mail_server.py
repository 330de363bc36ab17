"""A mail server for tests: takes mails and keeps each as a file.

Says `listening PORT` when it is ready, and `mail FILE` for each mail. It refuses whom the file
`refused` in its directory names, one address a line, with the code behind it.
"""

import argparse
import asyncio
import os
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("directory")
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--user")
parser.add_argument("--password")
options = parser.parse_args()


class Handler:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        path = os.path.join(options.directory, "refused")
        if os.path.exists(path):
            with open(path) as lines:
                for line in lines:
                    refused, code = line.split()
                    if refused == address:
                        return f"{code} {address} is not taken here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        name = f"{self.count:04}.eml"
        path = os.path.join(options.directory, name)
        with open(path, "wb") as file:
            file.write(envelope.content)
        secured = "secured" if session.ssl else "open"
        print("mail", name, secured, session.auth_data or "nobody", *envelope.rcpt_tos, flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login.decode() == options.user and data.password.decode() == options.password
    return AuthResult(success=good, auth_data=options.user if good else None, handled=good)


async def main():
    settings = {"enable_SMTPUTF8": True}
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
        settings.update(tls_context=context, require_starttls=True)
    if options.user:
        settings.update(authenticator=authenticate, auth_required=True)
    handler = Handler()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="mail.test.example", loop=loop, **settings),
        options.host,
        options.port,
    )
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
