import '@fontsource-variable/inter'
import './styles/tokens.css'
import './styles/parts.css'
import './styles/layout.css'
import './styles/login.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './App'

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
