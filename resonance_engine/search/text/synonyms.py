"""Meanings of words about music, in the tags of models and in measured attributes.

A tag's own name means the tag. The measures have two ends each (`MEASURES`). All other words are in `SYNONYMS`: the
words of a line mean the right side, a sum of tags and ends, each with a weight where that is not 1; tags that a model
lacks are left out of it. The weights are judgement, checked on game soundtracks; the tags are the 50 of the Million
Song Dataset, so words for what these do not describe (a piano, a violin, reggae) are unknown rather than guessed.
"""

from __future__ import annotations

# End of a measure: the measure, and the direction of the end.
MEASURES = {
    "fast": ("tempo", 1.0),
    "slow": ("tempo", -1.0),
    "loud": ("energy", 1.0),
    "quiet": ("energy", -1.0),
    "bright": ("brightness", 1.0),
    "dark": ("brightness", -1.0),
    "major": ("mode", 1.0),
    "minor": ("mode", -1.0),
}

SYNONYMS = {
    # tempo, loudness, sound, key
    "quick, rapid, speedy, uptempo, up tempo, high tempo, fast tempo, driving": "fast",
    "low tempo, slow tempo": "slow",
    "downtempo, down tempo": "slow, chillout 0.5",
    "noisy": "loud, experimental 0.5",
    "soft, gentle, delicate": "quiet, mellow 0.5, dark 0.5",
    "crisp, brilliant, sharp, shiny": "bright",
    "dull, muffled, warm, deep": "dark",
    "major key, in major": "major",
    "minor key, in minor": "minor",
    # moods
    "upbeat, lively, cheerful, joyful, joyous, feel good": "happy, party 0.5, catchy 0.5, fast 0.5",
    "fun, funny, playful": "happy, catchy 0.5, party 0.5",
    "summer, summery, sunny": "happy, bright 0.5",
    "energetic, high energy, energy, powerful, intense, workout, running": "loud, fast, party 0.5, mellow -0.5",
    "calm, relaxing, relaxed, relax, peaceful, soothing, serene, low energy, sleep, sleepy": "quiet, slow 0.5, mellow,"
    " ambient 0.5",
    "laid back, chilled, lounge": "chill, chillout, mellow 0.5, easy listening 0.5",
    "smooth": "easy listening, jazz 0.5, sexy 0.5",
    "melancholic, melancholy, gloomy, sorrowful, depressing, blue, unhappy": "sad, minor 0.5",
    "somber, sombre, sinister, moody": "dark, sad, minor 0.5",
    "romantic, ballad, tender": "beautiful, mellow, sexy 0.5, slow 0.5",
    "pretty, lovely, gorgeous": "beautiful",
    "dreamy, ethereal, atmospheric, spacey, soundscape, drone, new age": "ambient, chillout 0.5",
    "sensual, seductive": "sexy",
    "hooky, earworm": "catchy",
    "angry, aggressive, brutal": "metal, punk 0.5, loud 0.5",
    "heavy": "heavy metal, metal, hard rock",
    "groovy, funky, groove": "funk, soul 0.5",
    "danceable, club, dancefloor, rave": "dance, house, party",
    "celebration": "party, happy",
    "focus, study, concentration, background": "instrumental, chillout 0.5, quiet 0.5",
    "weird, avant garde, strange, abstract": "experimental",
    # voices and instruments
    "vocal, voice, singing, sung, singer, lyrics": "instrumental -1, male vocalists 0.5, female vocalists 0.5",
    "female vocal, female voice, female singer, woman, women, girl": "female vocalists, female vocalist",
    "male vocal, male voice, male singer, male vocalist, man, men": "male vocalists",
    "electric guitar, guitarist": "guitar, rock 0.5",
    "acoustic guitar": "acoustic, guitar",
    "unplugged": "acoustic",
    "synth, synthesizer, synthesiser, keyboard": "electronic, electro 0.5",
    "drum, drumming, percussion, percussive, beat, rhythmic": "dance, party 0.5, ambient -1",
    # eras
    "sixties, 1960s": "60s",
    "seventies, 1970s": "70s",
    "eighties, 1980s": "80s",
    "nineties, 1990s": "90s",
    "noughties, 2000s": "00s",
    "old, vintage, retro, classic": "oldies, 60s 0.5, 70s 0.5",
    "modern, new, recent, contemporary": "00s",
    # genres
    "techno, trance, edm, electronic dance": "electronic, dance, electro, house 0.5",
    "electronics": "electronic",
    "idm, glitch": "electronica, experimental",
    "dubstep": "electro, electronic, dance 0.5",
    "drum and bass, drum n bass, d and b, dnb, jungle": "electronica, electronic, dance 0.5, fast 0.5",
    "trip hop": "chillout, electronica, hip-hop 0.5",
    "lo fi, lofi, chillhop": "chillout, hip-hop 0.5, instrumental 0.5",
    "synthpop, synth pop, electropop": "electronic, pop, 80s",
    "synthwave": "electronic, 80s",
    "new wave": "80s, alternative 0.5",
    "disco": "dance, 70s, funk",
    "rap, hip hop": "hip-hop",
    "r and b, rhythm and blues": "rnb, soul 0.5",
    "motown": "soul, 60s",
    "gospel": "soul",
    "swing, big band, bebop": "jazz, oldies 0.5",
    "bossa nova": "jazz, easy listening, mellow 0.5",
    "rock and roll, rock n roll, rockabilly": "oldies, 60s, classic rock 0.5",
    "prog, prog rock, progressive, art rock": "progressive rock",
    "psychedelic": "progressive rock, experimental, 60s 0.5",
    "grunge": "alternative rock, 90s, hard rock 0.5",
    "britpop": "indie rock, 90s, pop 0.5",
    "shoegaze, dream pop": "indie, ambient, indie pop 0.5",
    "post rock": "instrumental, indie rock 0.5, ambient 0.5, progressive rock 0.5",
    "hardcore, emo, ska": "punk, alternative rock 0.5",
    "thrash, death metal, black metal, doom": "metal, heavy metal",
    "singer songwriter": "acoustic, folk, guitar 0.5",
    "bluegrass, americana": "country, folk, acoustic 0.5",
    "folksy, folky": "folk",
}
