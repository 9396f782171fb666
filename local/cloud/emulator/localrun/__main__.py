"""Runs moto's server, and looks at every request on its way in: python3 localrun -H HOST -p PORT."""

import gc

import moto.server

from watch import Watch

if __name__ == "__main__":
    # AWS's models are some hundred thousand objects that stay. Looking through them for garbage after every 700 new ones took more
    # than a quarter of the emulator's time in a profile.
    gc.set_threshold(100_000, 50, 100)
    # moto makes its application in main, by this name.
    application = moto.server.DomainDispatcherApplication
    moto.server.DomainDispatcherApplication = lambda create: Watch(application(create))
    moto.server.main()
