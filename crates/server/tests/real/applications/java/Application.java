import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.boot.Banner;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.annotation.Bean;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.AuthenticationException;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.oauth2.client.OAuth2AuthorizeRequest;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.RefreshTokenOAuth2AuthorizedClientProvider;
import org.springframework.security.oauth2.client.oidc.userinfo.OidcUserRequest;
import org.springframework.security.oauth2.client.oidc.userinfo.OidcUserService;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizedClientRepository;
import org.springframework.security.oauth2.core.OAuth2AuthenticationException;
import org.springframework.security.oauth2.core.OAuth2AuthorizationException;
import org.springframework.security.oauth2.core.OAuth2Error;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.servlet.util.matcher.PathPatternRequestMatcher;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.servlet.view.RedirectView;
import org.springframework.web.util.HtmlUtils;
import tools.jackson.databind.json.JsonMapper;

/**
 * A web application that signs its people in with Spring Security's OAuth 2.0 client.
 *
 * <p>It is set by the environment: ISSUER, CLIENT_ID, CLIENT_SECRET and PORT. Every page shows what came of it as JSON.
 */
@SpringBootConfiguration
@EnableAutoConfiguration
@RestController
public class Application {
    private static final String REGISTRATION = "gateward";

    private final OAuth2AuthorizedClientRepository authorizedClients;
    private final OAuth2AuthorizedClientManager manager;

    Application(OAuth2AuthorizedClientRepository authorizedClients, OAuth2AuthorizedClientManager manager) {
        this.authorizedClients = authorizedClients;
        this.manager = manager;
    }

    public static void main(String[] args) {
        String registration = "spring.security.oauth2.client.registration." + REGISTRATION;
        new SpringApplicationBuilder(Application.class)
            .bannerMode(Banner.Mode.OFF)
            .lazyInitialization(true)
            .properties(
                "server.address=127.0.0.1",
                "server.port=${PORT}",
                "spring.security.oauth2.client.provider." + REGISTRATION + ".issuer-uri=${ISSUER}",
                registration + ".client-id=${CLIENT_ID}",
                registration + ".client-secret=${CLIENT_SECRET}",
                registration + ".scope=openid,profile,email,offline_access",
                registration + ".redirect-uri={baseUrl}/callback")
            .run(args);
    }

    /** PKCE and the nonce need no word here: Spring Security 7 uses both for every client. */
    @Bean
    static SecurityFilterChain security(HttpSecurity http, ClientRegistrationRepository registrations) {
        var signOut = new OidcClientInitiatedLogoutSuccessHandler(registrations);
        signOut.setPostLogoutRedirectUri("{baseUrl}/");
        return http
            .authorizeHttpRequests(requests -> requests.anyRequest().permitAll())
            .oauth2Login(login -> login
                .redirectionEndpoint(endpoint -> endpoint.baseUri("/callback"))
                .defaultSuccessUrl("/", true)
                .failureHandler(Application::refused))
            .logout(logout -> logout
                .logoutRequestMatcher(PathPatternRequestMatcher.withDefaults().matcher(HttpMethod.GET, "/sign-out"))
                .logoutSuccessHandler(signOut))
            .build();
    }

    /**
     * Every access token counts as about to expire, so that the manager refreshes whenever it is asked.
     *
     * <p>Static, since this object waits for the manager, which waits for this: Spring would quietly do without it.
     */
    @Bean
    static RefreshTokenOAuth2AuthorizedClientProvider refreshing() {
        var provider = new RefreshTokenOAuth2AuthorizedClientProvider();
        provider.setClockSkew(Duration.ofDays(1));
        return provider;
    }

    @GetMapping("/sign-in")
    RedirectView signIn() {
        return new RedirectView("/oauth2/authorization/" + REGISTRATION);
    }

    @GetMapping(path = "/", produces = MediaType.TEXT_HTML_VALUE)
    String home(Authentication authentication) {
        if (authentication == null || !(authentication.getPrincipal() instanceof OidcUser user)) {
            return page(Map.of("signed_in", false));
        }
        var said = new LinkedHashMap<String, Object>();
        said.put("signed_in", true);
        said.put("sub", user.getSubject());
        said.put("name", user.getFullName());
        said.put("email", user.getEmail());
        return page(said);
    }

    @GetMapping(path = "/refresh", produces = MediaType.TEXT_HTML_VALUE)
    String refresh(Authentication authentication, HttpServletRequest request) {
        OidcUser before = user(authentication);
        OAuth2AuthorizedClient old = client(authentication, request);
        OAuth2AuthorizedClient renewed = manager.authorize(
            OAuth2AuthorizeRequest.withAuthorizedClient(old).principal(authentication).build());
        // A new ID token was verified, and whom it names is in the security context now.
        OidcUser after = user(SecurityContextHolder.getContext().getAuthentication());
        var said = new LinkedHashMap<String, Object>();
        said.put("refreshed", renewed != old);
        said.put("sub", after.getSubject());
        said.put("new_id_token", !after.getIdToken().getTokenValue().equals(before.getIdToken().getTokenValue()));
        said.put("new_access_token",
            !renewed.getAccessToken().getTokenValue().equals(old.getAccessToken().getTokenValue()));
        said.put("new_refresh_token",
            !renewed.getRefreshToken().getTokenValue().equals(old.getRefreshToken().getTokenValue()));
        return page(said);
    }

    @GetMapping(path = "/userinfo", produces = MediaType.TEXT_HTML_VALUE)
    String userInfo(Authentication authentication, HttpServletRequest request) {
        OAuth2AuthorizedClient client = client(authentication, request);
        // The service refuses an answer about somebody else than the ID token's person.
        OidcUser user = new OidcUserService().loadUser(new OidcUserRequest(
            client.getClientRegistration(), client.getAccessToken(), user(authentication).getIdToken()));
        return page(user.getUserInfo().getClaims());
    }

    private static OidcUser user(Authentication authentication) {
        if (authentication != null && authentication.getPrincipal() instanceof OidcUser user) {
            return user;
        }
        throw new IllegalStateException("nobody is signed in");
    }

    private OAuth2AuthorizedClient client(Authentication authentication, HttpServletRequest request) {
        OAuth2AuthorizedClient client = authorizedClients.loadAuthorizedClient(REGISTRATION, authentication, request);
        if (client == null) {
            throw new IllegalStateException("there are no tokens");
        }
        return client;
    }

    /** Where Spring Security's filters end a sign-in that failed. */
    private static void refused(HttpServletRequest request, HttpServletResponse response, AuthenticationException failure)
            throws IOException {
        response.setContentType("text/html;charset=UTF-8");
        response.getWriter().write(failed(failure));
    }

    @ExceptionHandler
    void failure(Exception failure, HttpServletResponse response) throws IOException {
        response.setContentType("text/html;charset=UTF-8");
        response.getWriter().write(failed(failure));
    }

    private static String failed(Exception failure) {
        OAuth2Error error = new OAuth2Error(failure.toString());
        if (failure instanceof OAuth2AuthenticationException refusal) {
            error = refusal.getError();
        } else if (failure instanceof OAuth2AuthorizationException refusal) {
            error = refusal.getError();
        }
        var said = new LinkedHashMap<String, Object>();
        said.put("error", error.getErrorCode());
        said.put("error_description", error.getDescription());
        return page(said);
    }

    private static String page(Map<String, Object> said) {
        String json = HtmlUtils.htmlEscape(JsonMapper.shared().writeValueAsString(said), "UTF-8");
        return "<!doctype html><title>App</title><pre id=\"said\">" + json + "</pre>";
    }
}
