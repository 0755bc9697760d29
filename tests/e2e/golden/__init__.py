"""Golden pictures of the wall: every view on every screen, in every condition, as somebody has looked at it and found it good.

    scenes.py   what there is to see: estates × conditions, the same in every run
    camera.py   the wall's page on its stand with time held still, and what one reads on it
    album.py    which pictures are kept, small, and how another one is compared with them
    pictures/   them; words.json: what is written where on each

`bin/pictures --wall` takes all of them anew; look at them before you commit them.
"""
