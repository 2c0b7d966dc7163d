"""The leaderboard: ``streamlit run app.py`` shows the results below the folders that ``MASSIE_RUNS`` names.

The application knows results and the catalogue; predictions and the engine that made them it never sees.
"""

from __future__ import annotations

import logging

import streamlit as st
from views import languages, overview, status, system

from massie.types import MassieError

_ABOUT = "MASSIE: benchmark suite and leaderboard for multilingual information extraction."

# Three bars as a picture of its own: an icon by name would be fetched from a server elsewhere.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='%233a87b2'%3E"
    "%3Cpath d='M1 8h4v7H1zM6 2h4v13H6zM11 5h4v10h-4z'/%3E%3C/svg%3E"
)

st.set_page_config(
    page_title="MASSIE leaderboard",
    page_icon=_ICON,
    layout="wide",
    menu_items={"About": _ABOUT},
)
chosen = st.navigation(
    [
        st.Page(overview.page, title="Overview", default=True),
        st.Page(languages.page, title="Languages", url_path="languages"),
        system.as_page(),
        st.Page(status.page, title="Status", url_path="status"),
    ],
    position="top",
)
try:
    chosen.run()
except MassieError as error:
    # Only content of the project itself (a metric card, the table of languages) can be at fault here.
    st.error("The board's own files are damaged; install MASSIE again, or mend what is named here.")
    st.text(str(error))
except Exception:
    # The reader gets one sentence, whoever runs the board the whole story.
    logging.getLogger("massie.leaderboard").exception("a page of the board failed")
    st.error("This page cannot be shown; the log of the board says why.")
