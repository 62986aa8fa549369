"""What a bound on the weights costs, and whether it is really the optimum."""

import streamlit as st

from pages.shared import cache, choices, reference, shell, sides, words

shell.stand("Constrained", "What a bound on the weights costs, and whether it is the optimum.")
first = choices.row()
chosen = choices.header(first)
trained = reference.needed(chosen)
with first:
    layer = reference.layer(trained)
st.markdown(words.reference(trained))
constraint = reference.constraint()
curve = cache.constrained_curve(trained, constraint)
with st.container(border=True):
    sides.constrained(trained, layer, constraint, curve, alone=True)

st.subheader("Is this the optimum?", anchor=False)
if trained.convex:
    st.caption(words.REFEREE)
    problem = (*chosen, constraint, choices.number("bound"))
    if st.button("Ask the referee at this bound", key="ask", icon=":material/balance:"):
        st.session_state["_asked"] = problem
    if st.session_state.get("_asked") == problem:
        job = cache.referee(trained, constraint, problem[-1])
        table = shell.wait_for(job, "The referee solves the same problem")
        if table is not None:
            st.markdown(words.certificate(table, problem[-1]))
            st.dataframe(table.style.format(precision=9, subset=["objective"]), hide_index=True)
else:
    st.info(words.NOT_CONVEX, icon=":material/info:")
