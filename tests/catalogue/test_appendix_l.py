"""The paper's appendix L: each of its 215 datasets has a card, with the tasks under which it is printed there."""

from __future__ import annotations

from massie.catalogue import Catalogue, languages
from massie.types import Task

# The datasets of each task, typed from appendix L: lower case, hyphens for underscores and dots.
APPENDIX_L = {
    Task.SF: """
        bavarian-xsid massive11 mtods mtop xsid
    """,
    Task.NER: """
        adg-evalita2023 adjudications-mimgold ai-crossner ajmc-hipe2022 amharicner anatem ancora aqmar armtdp
        asiabibi-slavicner banglabiomed bc2gmcorpus bc5cdr bengaliner bioswedish blog-mimgold books-mimgold
        bosque-uner brexit-slavicner cantemist caraner cluener coarse-anythingner codemixedmsaea codemixedsocial
        codemixedspaeng codemixedtweet conll2002 conll2003 covid-19-slavicner cw-herodotos czechhistory10
        darnercorp ddt ddt-uner e3ccorpus eiec el-ner4 elexiswsd-ud-suk elner18 emails-mimgold enpner everest
        ewt-uner fbl-mimgold fenec fic-evalita2023 fiction-nytk findvehicle fined-anythingner finerdata
        germanlercoarse germanlerfine germeval2014 gja-uner gsd-uner gsdsimp-uner gvyoruba gw-herodotos harveyner
        hinercollapsed hineroriginal hipe2020-hipe2022 hr500k idnernews2k igboner janes-tag-ud-janes kaznerd
        kluner laws-mimgold legal-nytk legalnero lenerbr letemps-hipe2022 literature-crossner lrec16kb lst20
        mahaner mahasocialner masakhaner20 mbl-mimgold milliyet mphayaner music-crossner musicner naampadam
        ncbidisease nchlt nemocorpus nerpnerprosa nertelugu neruk20 nerwikijapanese news-nytk newseye-hipe2022
        nno-norne nob-norne nordstream-slavicner ontonotes5 ovid-herodotos parliamentary persianner phoner pioner
        plinyelder-herodotos plinyounger-herodotos politics-crossner pportalner pud-uner radiotvnews-mimgold reldi
        reldinormtagner-hr resumener ronec russia-ukrainewar-slavicner ryanair-slavicner schoolessays-mimgold
        science-crossner scienceweb-mimgold sentence-estner sentence-estnernew senticoref-ud-suke set-uner setsr
        sic simonero siner sligalician snk-uner sonar-hipe2022 ssj500k-syn-ud-suk talbanken-uner thainer22
        thainner tlunified topres19th-hipe2022 trg-uner turkuner tweet-barner udjapanesegsd ugnayan-uner
        uselection2020-slavicner vkner web-nytk webmedia-mimgold websites-mimgold weiboner2nd wiesp2022
        wiki-barner wikigoldsk wikipedia-nytk wn-evalita2023 written-to-be-spoken-mimgold
    """,
    Task.RE: """
        adev2 ai-crossre biored codemixedmixred cofun conll04 corpuser document-icorpus document-vlsp2020
        instructie jacred literature-crossre men music-crossre nerel news-crossre perlex politics-crossre popcorn
        redocred ror rurebus rured russerrc sanwen science-crossre scierc semeval2010 semeval2018 sentence-icorpus
        sentence-vlsp2020 sl0-histred sl1-histred sl2-histred tfh
    """,
    Task.ED: """
        ace2005 bkee casie ched cmnee document-deie document-disaster document-musied eusie eventdna eventnet-ita
        leven lifeeventdialog maven mee minion phee20 rams sentence-deie sentence-disaster sentence-musied
        wikievents
    """,
    Task.EE: """
        ace2005 bkee casie cmnee document-deie document-disaster eusie eventdna eventnet-ita lifeeventdialog mee
        phee20 rams sentence-deie sentence-disaster wikievents
    """,
}


def appendix_l() -> dict[str, set[Task]]:
    """The tasks of every dataset of appendix L."""
    tasks: dict[str, set[Task]] = {}
    for task, datasets in APPENDIX_L.items():
        for dataset in datasets.split():
            tasks.setdefault(dataset, set()).add(task)
    return tasks


def test_the_appendix_is_typed_whole():
    assert {task: len(datasets.split()) for task, datasets in APPENDIX_L.items()} == {
        Task.SF: 5,
        Task.NER: 153,
        Task.RE: 35,
        Task.ED: 22,
        Task.EE: 16,
    }
    assert len(appendix_l()) == 215


def test_every_dataset_of_the_appendix_has_a_card_and_no_other_card_says_in_paper():
    in_paper = {card.id for card in Catalogue.default().cards() if card.in_paper}
    printed = appendix_l().keys()
    assert sorted(printed - in_paper) == [], "these have no card, or one that is not in_paper"
    assert sorted(in_paper - printed) == [], "these are not in the appendix"


def test_a_card_of_the_paper_has_the_tasks_of_the_appendix():
    catalogue = Catalogue.default()
    differing = {
        dataset: (sorted(tasks), sorted(catalogue.card(dataset).tasks))
        for dataset, tasks in appendix_l().items()
        if dataset in catalogue.card_paths and set(catalogue.card(dataset).tasks) != tasks
    }
    assert differing == {}


def test_the_datasets_of_the_paper_cover_its_96_languages():
    covered = {
        languages()[code].counts_as or code
        for card in Catalogue.default().cards()
        if card.in_paper
        for mixed in card.languages
        for code in mixed.split("+")
    }
    assert covered == {code for code, entry in languages().items() if entry.in_paper}
