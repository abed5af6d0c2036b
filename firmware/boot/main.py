"""Start the application; Ctrl-C or its end leads to the interactive prompt.

A soft reset from the raw prompt, which is what mpremote does, ends at the prompt without
coming here.
"""

from endpoint import app

app.main()
