"""How results are shown: plots, tables, the page and the README's section."""
