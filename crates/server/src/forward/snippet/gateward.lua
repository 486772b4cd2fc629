-- Asks Gateward whether a request may pass, for HAProxy 2.6 and later. Loaded by haproxy.cfg (lua-load-per-thread).

local ASK = "http://{{ gateward }}/forward-auth/haproxy"
local PUBLIC_HOST = "{{ public_host }}"
local SCHEME = "{{ 'https' if secure else 'http' }}"

-- What of a request Gateward needs to know.
local TOLD = {
    "cookie", "authorization", "accept", "accept-language", "user-agent", "origin", "upgrade", "x-requested-with",
    "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-websocket-key", "access-control-request-method",
}

-- What the application is told of the person.
local IDENTITY = { "remote-user", "remote-name", "remote-email", "remote-groups" }

-- What belongs to the connection to Gateward, not to its answer.
local NOT_PASSED_ON = {
    ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true, ["date"] = true,
}

local OURS = { ["gateward"] = true, ["__host-gateward"] = true, ["__secure-gateward"] = true }

-- HAProxy counts the values of a header from 0.
local function values_of(headers, name)
    local values = {}
    local found = headers[name]
    local index = 0
    while found and found[index] do
        values[#values + 1] = found[index]
        index = index + 1
    end
    return values
end

-- The cookies without Gateward's own, which no application may see; nil when there are no others.
local function app_cookies(headers)
    local kept = {}
    for _, line in ipairs(values_of(headers, "cookie")) do
        for pair in line:gmatch("[^;]+") do
            pair = pair:match("^%s*(.-)%s*$")
            local name = pair:match("^[^=]*"):gsub("%s+$", ""):lower()
            if pair ~= "" and not OURS[name] then
                kept[#kept + 1] = pair
            end
        end
    end
    if #kept > 0 then
        return table.concat(kept, "; ")
    end
    return nil
end

local function question(txn, headers)
    -- Two Host headers make a host that Gateward refuses.
    local host = table.concat(values_of(headers, "host"), ",")
    local asked = {
        ["host"] = { PUBLIC_HOST },
        ["x-original-url"] = { SCHEME .. "://" .. host .. (txn.f:pathq() or "") },
        ["x-original-method"] = { txn.f:method() },
        ["x-forwarded-for"] = { txn.f:src() },
    }
    for _, name in ipairs(TOLD) do
        local values = values_of(headers, name)
        if #values > 0 then
            asked[name] = values
        end
    end
    return asked
end

-- Gives Gateward's answer to the client.
local function pass_on(txn, answer)
    local reply = txn:reply({ status = answer.status, reason = answer.reason or "" })
    for name, _ in pairs(answer.headers or {}) do
        if not NOT_PASSED_ON[name] then
            for _, value in ipairs(values_of(answer.headers, name)) do
                reply:add_header(name, value)
            end
        end
    end
    if txn.f:method() ~= "HEAD" then
        reply:set_body(answer.body or "")
    end
    txn:done(reply)
end

local function unavailable(txn)
    local reply = txn:reply({ status = 503, reason = "Service Unavailable" })
    reply:add_header("retry-after", "5")
    reply:add_header("cache-control", "no-store")
    txn:done(reply)
end

core.register_action("gateward", { "http-req" }, function(txn)
    local headers = txn.http:req_get_headers()
    local answer = core.httpclient():get({ url = ASK, headers = question(txn, headers), timeout = 10000 })
    if not answer or not answer.status or answer.status == 0 then
        return unavailable(txn)
    end
    if answer.status ~= 200 then
        return pass_on(txn, answer)
    end
    for _, name in ipairs(IDENTITY) do
        local value = values_of(answer.headers, name)[1] or ""
        if value == "" then
            txn.http:req_del_header(name)
        else
            txn.http:req_set_header(name, value)
        end
    end
    local cookies = app_cookies(headers)
    if cookies then
        txn.http:req_set_header("cookie", cookies)
    else
        txn.http:req_del_header("cookie")
    end
    local set_cookie = values_of(answer.headers, "set-cookie")[1]
    if set_cookie then
        txn:set_var("txn.gateward_set_cookie", set_cookie)
    end
end)
