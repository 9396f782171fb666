"""Runs moto's server, and looks at every request on its way in: python3 localrun -H HOST -p PORT."""

import moto.server

from watch import Watch

if __name__ == "__main__":
    # moto makes its application in main, by this name.
    application = moto.server.DomainDispatcherApplication
    moto.server.DomainDispatcherApplication = lambda create: Watch(application(create))
    moto.server.main()
